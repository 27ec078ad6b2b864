package main

import (
	"fmt"
	"os"
)

// programs maps the name of each program that is not a check to its function.
func programs() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"contend": contend,
		"puppet":  puppet,
		"tell":    tell,
	}
}

// runProgram runs the program that the arguments name and ends the process, or
// returns if they name none.
func runProgram(args []string) {
	if len(args) == 0 || programs()[args[0]] == nil {
		return
	}
	if err := programs()[args[0]](args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}
