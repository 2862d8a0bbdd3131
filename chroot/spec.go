package chroot

// spec is everything pid 1 needs. It crosses a pipe as JSON, so that nothing of
// it is seen in argv or environment.
type spec struct {
	Name     string        `json:"name"`
	Hostname string        `json:"hostname"`
	Mnt      string        `json:"mnt"`      // an empty directory of the host; a private tmpfs goes over it
	Host     bool          `json:"host"`     // the root is the host's own, read-only
	Lower    []string      `json:"lower"`    // directories of the root, lowest first
	Upper    string        `json:"upper"`    // directory with root/ and work/, see Upper
	Volatile bool          `json:"volatile"` // writes need not survive a power cut
	Scratch  string        `json:"scratch"`  // directory removed by pid 1 when the command is done
	Binds    []bindSpec    `json:"binds"`
	Tmpfs    []string      `json:"tmpfs"`
	Network  bool          `json:"network"`
	UserNS   bool          `json:"userns"`
	Binfmt   []interpreter `json:"binfmt"`
	Arch     string        `json:"arch"` // foreign architecture that must be runnable, or empty
	Command  command       `json:"command"`
	Builtin  string        `json:"builtin"` // a function of pid 1 instead of a command
	Args     []string      `json:"args"`    // of the builtin
}

// registers reports whether a foreign architecture is wanted or possible.
func (s spec) registers() bool { return len(s.Binfmt) > 0 || s.Arch != "" }

// bindSpec is one directory or file of the host, or a stack of layers, in the chroot.
type bindSpec struct {
	Source   string   `json:"source"`
	Lower    []string `json:"lower"` // instead of Source: layers, lowest first, merged read-only
	Target   string   `json:"target"`
	ReadOnly bool     `json:"ro"`
	Optional bool     `json:"optional"`
	Keep     bool     `json:"keep"` // leave a mount point made for it
}

type command struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	User string   `json:"user"`
	TTY  bool     `json:"tty"`
}

// report is one line that pid 1 writes to the status pipe.
type report struct {
	Event  string `json:"event"` // ready, failed, exit
	Text   string `json:"text,omitempty"`
	Code   int    `json:"code,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Errno  int    `json:"errno,omitempty"`
	Result string `json:"result,omitempty"` // of a builtin
}
