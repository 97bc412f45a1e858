package module

import (
	"flow"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

type Task struct {
	Do   string `json:"do"`
	Path string `json:"path"`
	Mode int    `json:"mode"`
	Pid  int    `json:"pid"`
}

func Run(c *flow.Context, task Task) (any, error) {
	if err := try(task); err != nil {
		return map[string]any{"refused": err.Error()}, nil
	}
	return map[string]any{"done": nil}, nil
}

func failed(number syscall.Errno) error {
	if number == 0 {
		return nil
	}
	return number
}

func try(task Task) error {
	path, err := syscall.BytePtrFromString(task.Path)
	if err != nil {
		return err
	}
	name := unsafe.Pointer(path)
	switch task.Do {
	case "write":
		return os.WriteFile(task.Path, []byte("was here"), 0600)
	case "read":
		_, err := os.ReadFile(task.Path)
		return err
	case "chmod":
		return syscall.Chmod(task.Path, uint32(task.Mode))
	case "own_file":
		if err := os.WriteFile("own", nil, 0600); err != nil {
			return err
		}
		return syscall.Chmod("own", uint32(task.Mode))
	case "make":
		fd, err := syscall.Open(task.Path, syscall.O_CREAT|syscall.O_WRONLY, uint32(task.Mode))
		if err == nil {
			syscall.Close(fd)
		}
		return err
	case "chown":
		return os.Chown(task.Path, os.Getuid(), os.Getgid())
	case "utime":
		return syscall.Utimes(task.Path, []syscall.Timeval{{Sec: 1}, {Sec: 1}})
	case "xattr":
		return syscall.Setxattr(task.Path, "user.hostile", []byte("1"), 0)
	case "limit":
		limit := syscall.Rlimit{Cur: 8, Max: 8}
		_, _, number := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(task.Pid), syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		return failed(number)
	case "nice":
		return syscall.Setpriority(syscall.PRIO_PROCESS, task.Pid, 19)
	case "signal":
		return syscall.Kill(task.Pid, syscall.SIGWINCH)
	case "ptrace":
		return syscall.PtraceAttach(task.Pid)
	case "memory":
		file, err := os.Open(filepath.Join("/proc", itoa(task.Pid), "mem"))
		if err == nil {
			file.Close()
		}
		return err
	case "unshare":
		_, _, number := syscall.RawSyscall(syscall.SYS_UNSHARE, 0x10020000, 0, 0)
		return failed(number)
	case "mount":
		kind, _ := syscall.BytePtrFromString("tmpfs")
		_, _, number := syscall.RawSyscall6(syscall.SYS_MOUNT, uintptr(name), uintptr(name), uintptr(unsafe.Pointer(kind)), 0, 0, 0)
		return failed(number)
	case "connect":
		client, err := net.Dial("unix", task.Path)
		if err != nil {
			return err
		}
		defer client.Close()
		client.Write([]byte("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"listFlows\",\"params\":{}}\n"))
		answer := make([]byte, 1<<16)
		size, err := client.Read(answer)
		if err == nil && !strings.Contains(string(answer[:size]), "result") {
			return syscall.EACCES
		}
		return err
	}
	return nil
}

func itoa(number int) string {
	text := ""
	for ; number > 0; number /= 10 {
		text = string(rune('0'+number%10)) + text
	}
	return text
}
