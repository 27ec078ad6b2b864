/*
 * Preloaded into User-Mode Linux: a ptrace(2) that accepts its short FP state.
 *
 * The kernel in the guest keeps room for the register state up to AVX-512. On
 * a host with larger registers (AMX) the host kernel refuses to set less than
 * the whole state, and the guest would die at its first process. Registers
 * beyond those that the guest knows stay in their initial state, which is what
 * zeroes behind a header that does not mention them mean.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Used by the one thread that traces the guest's processes. */
static char state[64 << 10];
static size_t size;

long ptrace(enum __ptrace_request request, ...)
{
	static long (*next)(int, pid_t, void *, void *);
	va_list args;
	va_start(args, request);
	pid_t pid = va_arg(args, pid_t);
	void *addr = va_arg(args, void *);
	struct iovec *data = va_arg(args, void *);
	va_end(args);

	if (!next)
		next = dlsym(RTLD_NEXT, "ptrace");
	if (request != PTRACE_SETREGSET || (long)addr != NT_X86_XSTATE)
		return next(request, pid, addr, data);

	struct iovec whole = { state, sizeof state };
	if (!size) {
		if (next(PTRACE_GETREGSET, pid, addr, &whole))
			return -1;
		size = whole.iov_len;
		memset(state, 0, sizeof state);
	}
	if (data->iov_len >= size)
		return next(request, pid, addr, data);
	memcpy(state, data->iov_base, data->iov_len);
	whole.iov_len = size;
	return next(request, pid, addr, &whole);
}
