// Decode, identity, encode with the host's codec; prints the microseconds of processor time a message.
// Compiled as a package inside the module flow, whose codec is internal (codec.py).
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"flow/internal/data"
)

func run(message any) any { return message }

func encoded(decoder *data.Decoder, input []byte, text []byte) ([]byte, int) {
	messages, err := decoder.Decode(input)
	must(err)
	for i, message := range messages.([]any) {
		if i > 0 {
			text = append(text, ",\n"...)
		}
		text, err = data.Append(text, run(message), data.AnyLength)
		must(err)
	}
	return text, len(messages.([]any))
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	must(err)
	rounds, err := strconv.Atoi(os.Args[1])
	must(err)
	var decoder data.Decoder
	var text []byte
	for i := 0; i < rounds/4; i++ {
		text, _ = encoded(&decoder, input, text[:0])
	}
	count, begun := 0, usedUs()
	for i := 0; i < rounds; i++ {
		text, count = encoded(&decoder, input, text[:0])
	}
	fmt.Println((usedUs() - begun) / float64(rounds*count))
}

func usedUs() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1000
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
