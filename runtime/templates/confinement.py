"""Takes from this process what a chat template has no need of: files, sockets, other processes, and more
than its share of memory. Irrevocable; everything that is imported later has to be imported before."""

import ctypes
import os
import platform
import resource
import struct

# linux/prctl.h, linux/seccomp.h, linux/audit.h, linux/filter.h
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
SECCOMP_RET_ALLOW = 0x7FFF0000
SECCOMP_RET_ERRNO = 0x00050000
SECCOMP_RET_KILL_PROCESS = 0x80000000
LOAD_WORD = 0x20
JUMP_ALWAYS = 0x05
JUMP_IF_EQUAL = 0x15
JUMP_IF_GREATER_OR_EQUAL = 0x35
JUMP_IF_ANY_BIT = 0x45
RETURN = 0x06
EACCES = 13
PROT_EXEC = 4
# struct seccomp_data: number of the call, architecture, instruction pointer, arguments
NUMBER, ARCHITECTURE, THIRD_ARGUMENT = 0, 4, 32

# What Python needs to compute, to read a request and to answer it. The names are those of the kernel.
CALLS = (
    "read write close fstat lseek brk munmap mremap madvise rt_sigaction rt_sigprocmask rt_sigreturn"
    " sigaltstack getpid exit exit_group futex clock_gettime gettimeofday getrandom setitimer getitimer"
    " restart_syscall sched_yield nanosleep clock_nanosleep getrusage"
).split()
MEMORY_CALLS = ("mmap", "mprotect")

X86_64 = dict(
    read=0, write=1, close=3, fstat=5, lseek=8, mmap=9, mprotect=10, munmap=11, brk=12, rt_sigaction=13,
    rt_sigprocmask=14, rt_sigreturn=15, sched_yield=24, mremap=25, madvise=28, nanosleep=35, getitimer=36,
    setitimer=38, getpid=39, exit=60, gettimeofday=96, getrusage=98, sigaltstack=131, futex=202,
    restart_syscall=219, clock_gettime=228, clock_nanosleep=230, exit_group=231, getrandom=318,
)
# include/uapi/asm-generic/unistd.h, which newer architectures share
GENERIC = dict(
    close=57, lseek=62, read=63, write=64, fstat=80, exit=93, exit_group=94, futex=98, nanosleep=101,
    getitimer=102, setitimer=103, clock_gettime=113, clock_nanosleep=115, sched_yield=124,
    restart_syscall=128, sigaltstack=132, rt_sigaction=134, rt_sigprocmask=135, rt_sigreturn=139,
    getrusage=165, gettimeofday=169, getpid=172, brk=214, munmap=215, mremap=216, mmap=222, mprotect=226,
    madvise=233, getrandom=278,
)
# The kernel's number of the architecture, and those of its calls.
ARCHITECTURES = {
    "x86_64": (0xC000003E, X86_64),
    "aarch64": (0xC00000B7, GENERIC),
    "riscv64": (0xC00000F3, GENERIC),
}
# Of the 32-bit calls of x86-64, which pass for the same architecture.
FIRST_X32_CALL = 0x40000000


def filter_program(architecture, numbers):
    """A program for the kernel that lets only CALLS pass; the others fail as not allowed.

    A line is (code, value, where to go if so, where to go if not); a text names the next line."""
    lines = [
        (LOAD_WORD, ARCHITECTURE, None, None),
        (JUMP_IF_EQUAL, architecture, None, "kill"),
        (LOAD_WORD, NUMBER, None, None),
        (JUMP_IF_GREATER_OR_EQUAL, FIRST_X32_CALL, "refuse", None),
        *((JUMP_IF_EQUAL, numbers[name], "allow", None) for name in CALLS),
        *((JUMP_IF_EQUAL, numbers[name], "memory", None) for name in MEMORY_CALLS),
        (JUMP_ALWAYS, None, "refuse", None),
        "memory",  # may not become code
        (LOAD_WORD, THIRD_ARGUMENT, None, None),
        (JUMP_IF_ANY_BIT, PROT_EXEC, "refuse", None),
        "allow",
        (RETURN, SECCOMP_RET_ALLOW, None, None),
        "refuse",
        (RETURN, SECCOMP_RET_ERRNO | EACCES, None, None),
        "kill",
        (RETURN, SECCOMP_RET_KILL_PROCESS, None, None),
    ]
    places = {}
    program = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(program)
        else:
            program.append(line)
    packed = b""
    for at, (code, value, yes, no) in enumerate(program):
        jumps = [places[place] - at - 1 if place else 0 for place in (yes, no)]
        if code == JUMP_ALWAYS:
            packed += struct.pack("=HBBI", code, 0, 0, jumps[0])
        else:
            packed += struct.pack("=HBBI", code, *jumps, value)
    return packed, len(program)


def apply_filter():
    """False where the kernel or the machine has no such filters."""
    known = ARCHITECTURES.get(platform.machine())
    if known is None or struct.calcsize("P") != 8:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    instructions, count = filter_program(*known)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    described = struct.pack("HxxxxxxP", count, ctypes.addressof(buffer))
    described = ctypes.create_string_buffer(described, len(described))
    arguments = [ctypes.c_ulong(value) for value in (1, 0, 0, 0)]
    if libc.prctl(PR_SET_NO_NEW_PRIVS, *arguments) != 0:
        return False
    return libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER),
                      ctypes.c_ulong(ctypes.addressof(described)), *arguments[1:3]) == 0


def confine(memory_bytes):
    """Returns the names of what holds from now on.

    The limits hold on every machine and for every user: without a free descriptor there are neither files
    nor sockets. The filter refuses the rest, such as signals to other processes, or new ones."""
    os.closerange(3, 1024)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, *[ctypes.c_ulong(0)] * 4)
    limits = [
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ]
    for what, most in limits:
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    return ["limits", "filter"] if apply_filter() else ["limits"]
