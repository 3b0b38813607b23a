import { linux } from "./linux.ts";

/**
 * The system calls of the kernel pump. Each returns what the C function returns: -1 means that `errno()`, asked
 * before any other call, says why.
 */
export interface Libc {
  errno(): number;
  close(fd: number): number;
  /** A second descriptor of the same open file, closed on exec. */
  duplicate(fd: number): number;
  pipe(into: Int32Array): number;
  /** Two connected Unix stream sockets. */
  socketPair(into: Int32Array): number;
  setPipeSize(fd: number, bytes: number): number;
  splice(from: number, to: number, bytes: number): number;
  recv(fd: number, into: Uint8Array, bytes: number): number;
  send(fd: number, from: Uint8Array, bytes: number): number;
  write(fd: number, from: Uint8Array, bytes: number): number;
  endWriting(fd: number): number;
  /** The pending error of a socket, which is cleared by the question; 0 without one. */
  socketError(fd: number): number;
  /** Bytes that the peer of a TCP socket has not acknowledged, a FIN counted as one (tcp(7), SIOCOUTQ). */
  unacknowledged(fd: number): number;
  setTcpOption(fd: number, option: number, value: number): number;
  /** `name` is one of the system's, in ASCII. */
  setCongestionControl(fd: number, name: Uint8Array): number;
  /** The close that follows sends RST and drops what was queued. */
  resetOnClose(fd: number): number;
  eventfd(): number;
  epollCreate(): number;
  epollAdd(epoll: number, fd: number, event: Int32Array): number;
  epollChange(epoll: number, fd: number, event: Int32Array): number;
  epollWait(epoll: number, events: Int32Array, most: number, timeoutMs: number): number;
  /** How many descriptors this process may have open. */
  descriptorLimit(): number;
}

/** Binds the C library that this process already runs with, through koffi's prebuilt foreign function interface. */
export async function loadLibc(): Promise<Libc> {
  const koffi = await importKoffi();
  const library = koffi.load(null);
  // koffi cannot know the TypeScript type of a C function; the prototype beside each name is what it checks calls by.
  const bind = (prototype: string): Native => library.func(prototype) as Native;

  const close = bind("int close(int fd)");
  const fcntl = bind("int fcntl(int fd, int command, ...)");
  const pipe2 = bind("int pipe2(void *fds, int flags)");
  const socketpair = bind("int socketpair(int domain, int type, int protocol, void *fds)");
  const splice = bind(
    "int splice(int from, int64_t fromOffset, int to, int64_t toOffset, size_t bytes, uint flags)",
  );
  const recv = bind("int recv(int fd, void *into, size_t bytes, int flags)");
  const send = bind("int send(int fd, void *from, size_t bytes, int flags)");
  const write = bind("int write(int fd, void *from, size_t bytes)");
  const shutdown = bind("int shutdown(int fd, int how)");
  const getsockopt = bind("int getsockopt(int fd, int level, int option, void *value, void *length)");
  const setsockopt = bind("int setsockopt(int fd, int level, int option, void *value, uint length)");
  const ioctl = bind("int ioctl(int fd, ulong request, void *value)");
  const eventfd = bind("int eventfd(uint start, int flags)");
  const epollCreate1 = bind("int epoll_create1(int flags)");
  const epollCtl = bind("int epoll_ctl(int epoll, int operation, int fd, void *event)");
  const epollWait = bind("int epoll_wait(int epoll, void *events, int most, int timeout)");
  const getrlimit = bind("int getrlimit(int resource, void *limit)");

  const value = new Int32Array(2);
  const length = new Int32Array([4]);
  const { SOL_SOCKET, IPPROTO_TCP } = linux;
  const spliceFlags = linux.SPLICE_F_MOVE | linux.SPLICE_F_NONBLOCK;
  const sendFlags = linux.MSG_DONTWAIT | linux.MSG_NOSIGNAL;

  return {
    errno: () => koffi.errno(),
    close: (fd) => close(fd),
    duplicate: (fd) => fcntl(fd, linux.F_DUPFD_CLOEXEC, "int", 3),
    pipe: (into) => pipe2(into, linux.O_NONBLOCK | linux.O_CLOEXEC),
    socketPair: (into) => socketpair(linux.AF_UNIX, linux.SOCK_STREAM_NONBLOCK_CLOEXEC, 0, into),
    setPipeSize: (fd, bytes) => fcntl(fd, linux.F_SETPIPE_SZ, "int", bytes),
    splice: (from, to, bytes) => splice(from, 0, to, 0, bytes, spliceFlags),
    recv: (fd, into, bytes) => recv(fd, into, bytes, linux.MSG_DONTWAIT),
    send: (fd, from, bytes) => send(fd, from, bytes, sendFlags),
    write: (fd, from, bytes) => write(fd, from, bytes),
    endWriting: (fd) => shutdown(fd, linux.SHUT_WR),
    socketError(fd) {
      value[0] = 0;
      getsockopt(fd, SOL_SOCKET, linux.SO_ERROR, value, length);
      return value[0];
    },
    unacknowledged(fd) {
      value[0] = 0;
      ioctl(fd, linux.SIOCOUTQ, value);
      return value[0];
    },
    setTcpOption(fd, option, to) {
      value[0] = to;
      return setsockopt(fd, IPPROTO_TCP, option, value, 4);
    },
    setCongestionControl: (fd, name) => setsockopt(fd, IPPROTO_TCP, linux.TCP_CONGESTION, name, name.length),
    resetOnClose(fd) {
      value[0] = 1;
      value[1] = 0;
      return setsockopt(fd, SOL_SOCKET, linux.SO_LINGER, value, 8);
    },
    eventfd: () => eventfd(0, linux.EFD_NONBLOCK_CLOEXEC),
    epollCreate: () => epollCreate1(linux.EPOLL_CLOEXEC),
    epollAdd: (epoll, fd, event) => epollCtl(epoll, linux.EPOLL_CTL_ADD, fd, event),
    epollChange: (epoll, fd, event) => epollCtl(epoll, linux.EPOLL_CTL_MOD, fd, event),
    epollWait: (epoll, events, most, timeoutMs) => epollWait(epoll, events, most, timeoutMs),
    descriptorLimit() {
      const limit = new BigUint64Array(2);
      return getrlimit(linux.RLIMIT_NOFILE, limit) === 0 ? Number(limit[0]) : 1024;
    },
  };
}

/** koffi's own message tells those who bundle it what to do; what a user can do is to install its binary. */
async function importKoffi() {
  try {
    return (await import("koffi")).default;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice = "install rdv on this machine, with npm's optional dependencies";
    throw new Error(`koffi does not load for ${process.platform} ${process.arch} (${reason}); ${advice}`, {
      cause: error,
    });
  }
}

type Native = (...values: readonly unknown[]) => number;
