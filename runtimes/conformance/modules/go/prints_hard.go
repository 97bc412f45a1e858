package module

import (
	"fmt"
	"log"
	"os"
	"strings"
	"sync"

	"flow"
)

func Run(c *flow.Context, m any) (any, error) {
	os.Stdout.Write([]byte{'c', 'a', 'f', 0xe9, 0xff, '\n'})
	fmt.Println(strings.Repeat("x", 3_000_000))
	fmt.Print(strings.Repeat("y", 3_000_000))
	var thread sync.WaitGroup
	thread.Add(1)
	go func() {
		defer thread.Done()
		for n := 0; n < 100; n++ {
			fmt.Println("from a thread", n)
		}
	}()
	for n := 0; n < 100; n++ {
		fmt.Fprintln(os.Stderr, "beside it", n)
	}
	log.Print("by log")
	thread.Wait()
	before := os.Stdout
	os.Stdout, _ = os.Open(os.DevNull)
	fmt.Println("nobody sees this")
	os.Stdout.Close()
	os.Stdout = before
	fmt.Println("the last")
	return m, nil
}
