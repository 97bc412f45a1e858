package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	heading = regexp.MustCompile(`^# host(?:/units/(u_[0-9a-f]{16}))?$`)
	absent  = regexp.MustCompile(`^pattern \S+: no matching files found$`)
	unknown = regexp.MustCompile(`^undefined: \w+$`)
	missing = regexp.MustCompile(`^(?:cannot find module providing|no required module provides) package ([^:;\s]+)|^package (\S+) is not in `)
	place   = regexp.MustCompile(`^(?:\./)?(?:units/(u_[0-9a-f]{16})/)?(.+?):(\d+):(?:(\d+):)? (.*)$`)
)

// compile runs the go command, without any network: what it needs is in the environment.
func compile(asked request) (map[string]problem, error) {
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join("..", "host"), ".")
	command.Dir = "src"
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off",
		"GOMODCACHE="+filepath.Join(asked.Environment, "modules"))
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	if err == nil {
		return nil, nil
	}
	if _, is := err.(*exec.ExitError); !is {
		return nil, err
	}
	problems := problemsIn(output.String(), asked.Units)
	if len(problems) == 0 {
		return nil, fmt.Errorf("go build: %w\n%s", err, output.String())
	}
	return problems, nil
}

// isAlone says whether a unit has no files besides its own.
func isAlone(units []unit, name string) bool {
	for _, each := range units {
		if each.Unit == name {
			return len(each.Files) == 0
		}
	}
	return false
}

// problemsIn finds the first message of the compiler about each unit.
func problemsIn(output string, units []unit) map[string]problem {
	problems := map[string]problem{}
	current := ""
	for _, line := range strings.Split(output, "\n") {
		if match := heading.FindStringSubmatch(line); match != nil {
			current = match[1]
			continue
		}
		match := place.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		name, found := match[1], problem{Type: "CompileError", File: match[2], Message: match[5]}
		found.Line, _ = strconv.Atoi(match[3])
		found.Column, _ = strconv.Atoi(match[4])
		if name == "" {
			name = current
		}
		if at := found.Line - mainStart; name == "" && found.File == "main.go" && at >= 0 && at < len(units) {
			name = units[at].Unit
			found.File, found.Line, found.Column = "", 0, 0
		}
		if _, known := problems[name]; known || name == "" {
			continue
		}
		if text := strings.TrimPrefix(found.Message, "syntax error: "); text != found.Message {
			found.Type, found.Message = "SyntaxError", text
		}
		if match := missing.FindStringSubmatch(found.Message); match != nil {
			found.Message = "there is no package " + match[1] + match[2] + "; name its module in the module's dependencies"
		}
		if absent.MatchString(found.Message) {
			found.Message += ": name the file in the module's `files:`"
		}
		if unknown.MatchString(found.Message) && isAlone(units, name) {
			found.Message += ": if another file of yours has it, name that in the module's `files:`"
		}
		problems[name] = found
	}
	return problems
}
