package templates

import (
	"bytes"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// maxShellFile bounds what is parsed. The largest APKBUILD of pmaports has
// less than a tenth of it.
const maxShellFile = 1 << 20

// variable is a top-level assignment of an APKBUILD or a deviceinfo.
type variable struct {
	Value string
	Line  int
}

// readVariables evaluates the top-level assignments of a shell file. Nothing
// is executed: a value with a command substitution is an error.
func readVariables(name string, data []byte, lang syntax.LangVariant) (map[string]variable, error) {
	if len(data) > maxShellFile {
		return nil, fmt.Errorf("%s has %d bytes, and no file of its kind has more than %d", name, len(data), maxShellFile)
	}
	file, err := syntax.NewParser(syntax.Variant(lang)).Parse(bytes.NewReader(data), name)
	if err != nil {
		return nil, fmt.Errorf("parse the shell file: %w", err)
	}
	found := map[string]variable{}
	environ := func(name string) string { return found[name].Value }
	for _, stmt := range file.Stmts {
		call, ok := stmt.Cmd.(*syntax.CallExpr)
		if !ok || len(call.Args) > 0 {
			continue
		}
		for _, assign := range call.Assigns {
			if assign.Name == nil || assign.Array != nil || assign.Index != nil {
				continue
			}
			value := ""
			if assign.Value != nil {
				config := &expand.Config{Env: expand.FuncEnviron(environ)}
				if value, err = expand.Literal(config, assign.Value); err != nil {
					return nil, fmt.Errorf("%s line %d: the value of %s: %w", name, assign.Pos().Line(), assign.Name.Value, err)
				}
			}
			if assign.Append {
				value = found[assign.Name.Value].Value + value
			}
			if len(value) > maxShellFile {
				return nil, fmt.Errorf("%s line %d: the value of %s is too long", name, assign.Pos().Line(), assign.Name.Value)
			}
			found[assign.Name.Value] = variable{value, int(assign.Pos().Line())}
		}
	}
	return found, nil
}

// sums reads sha512sums: a checksum and a file name a line.
func sums(text string) map[string]string {
	byName := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if fields := strings.Fields(line); len(fields) == 2 {
			byName[fields[1]] = fields[0]
		}
	}
	return byName
}

// sourceName is how abuild names an entry of source: what stands before "::",
// else the last part of the address.
func sourceName(entry string) (name string, remote bool) {
	remote = strings.Contains(entry, "://")
	if name, _, renamed := strings.Cut(entry, "::"); renamed {
		return name, remote
	}
	return entry[strings.LastIndex(entry, "/")+1:], remote
}
