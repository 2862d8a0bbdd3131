// Package chroot is the engine: it runs commands in root filesystems made of
// layers, without root where the host allows it.
//
// The program executes itself again as pid 1 of new user, mount, pid, ipc, uts
// and (without network) net namespaces. Every mount is made there and is gone
// with the last process, so there is nothing to unmount after a crash. pid 1
// holds the read end of a lifeline pipe: when Portolan ends, in whatever way,
// the pipe closes and pid 1 ends, and the kernel kills whatever is left.
//
//	e, err := chroot.Open(ctx, chroot.Config{Work: work})
//	base, err := e.CreateLayer(ctx, "base", nil, func(tx *chroot.LayerTx) error {
//		host := e.Host("bootstrap")
//		host.Binds = []chroot.Bind{{Source: tx.Dir, Target: tx.Dir}}
//		return host.Run(ctx, chroot.Cmd{Argv: []string{"mmdebstrap", …, tx.Dir}})
//	})
//	err = e.Chroot("build", base).Run(ctx, chroot.Cmd{Argv: []string{"make"}})
//
// Layers are always named from the lowest (the base) to the topmost.
package chroot
