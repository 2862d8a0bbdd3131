package templates

import (
	"fmt"
	"strings"
)

// Problem is one value of a Model that is not allowed.
type Problem struct {
	Field   string // name in Model, as "Kernel.Cmdline[2]"
	Value   string // what it is, quoted and shortened
	What    string // what is wrong with it
	Allowed string // the rule
	Example string // a value that is right
}

// Error says all of it in one line.
func (p Problem) Error() string {
	return fmt.Sprintf("%s is %s: %s; allowed: %s; example: %s", p.Field, p.Value, p.What, p.Allowed, p.Example)
}

// Problems is every Problem of a Model, in the order of its fields.
type Problems []Problem

// Error lists them, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Field returns the problems of one field and of its elements.
func (p Problems) Field(name string) Problems {
	var found Problems
	for _, problem := range p {
		if problem.Field == name || strings.HasPrefix(problem.Field, name+"[") || strings.HasPrefix(problem.Field, name+".") {
			found = append(found, problem)
		}
	}
	return found
}
