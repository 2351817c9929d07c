// Reads a history of operations on rows and says whether it is linearizable, key by key.
//
//	check_history FILE
//
// A line of FILE is an operation: CLIENT KEY OPERATION ARGUMENT VALUE CALL RETURN OUTCOME FOUND
//
//	OPERATION  read; upsert, insert, patch, delete: writes VALUE; swap: writes VALUE if ARGUMENT is there
//	ARGUMENT   of swap; else 0
//	CALL …     nanoseconds of one clock; RETURN is -1 where nobody was told the outcome
//	OUTCOME    ok, exists, absent, conflict, unknown
//	FOUND      what a read saw; 0: no row
//
// Values are positive and written once. Ends with 0: linearizable; 1: not; 2: no history; 3: it can't be told in time.
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

const timeLimit = 60 * time.Second

type request struct {
	key       int64
	operation string
	argument  int64
	value     int64
}

type answer struct {
	outcome string
	found   int64
}

// What a request does to a row, and how it is answered then.
func apply(row int64, r request) (string, int64) {
	switch r.operation {
	case "upsert":
		return "ok", r.value
	case "delete":
		return "ok", 0
	case "insert":
		if row != 0 {
			return "exists", row
		}
		return "ok", r.value
	case "patch":
		if row == 0 {
			return "absent", row
		}
		return "ok", r.value
	case "swap":
		if row != r.argument {
			return "conflict", row
		}
		return "ok", r.value
	}
	return "ok", row
}

func step(state, input, output interface{}) (bool, interface{}) {
	row, r, a := state.(int64), input.(request), output.(answer)
	if r.operation == "read" {
		return a.found == row, row
	}
	outcome, next := apply(row, r)
	return a.outcome == "unknown" || a.outcome == outcome, next
}

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	rows := map[int64][]porcupine.Operation{}
	for _, operation := range history {
		key := operation.Input.(request).key
		rows[key] = append(rows[key], operation)
	}
	var parts [][]porcupine.Operation
	for _, part := range rows {
		parts = append(parts, part)
	}
	return parts
}

func parse(path string) ([]porcupine.Operation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var history []porcupine.Operation
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var r request
		var a answer
		var client int
		var begin, end int64
		_, err := fmt.Sscan(lines.Text(), &client, &r.key, &r.operation, &r.argument, &r.value, &begin, &end, &a.outcome, &a.found)
		if err != nil {
			return nil, fmt.Errorf("line %d, '%s': %v", len(history)+1, lines.Text(), err)
		}
		// It may take effect at any time from then on, also after everything else, which is never.
		if end < 0 {
			end = math.MaxInt64
		}
		history = append(history, porcupine.Operation{ClientId: client, Input: r, Call: begin, Output: a, Return: end})
	}
	return history, lines.Err()
}

func main() {
	if len(os.Args) != 2 {
		fmt.Println("usage: check_history FILE")
		os.Exit(2)
	}
	history, err := parse(os.Args[1])
	if err != nil || len(history) == 0 {
		fmt.Println("no history:", err)
		os.Exit(2)
	}
	model := porcupine.Model{Init: func() interface{} { return int64(0) }, Step: step}
	for _, part := range byKey(history) {
		key := part[0].Input.(request).key
		switch porcupine.CheckOperationsTimeout(model, part, timeLimit) {
		case porcupine.Illegal:
			fmt.Printf("not linearizable: key %d, %d operations\n", key, len(part))
			os.Exit(1)
		case porcupine.Unknown:
			fmt.Printf("not checked in %s: key %d, %d operations\n", timeLimit, key, len(part))
			os.Exit(3)
		}
	}
	fmt.Printf("linearizable: %d operations\n", len(history))
}
