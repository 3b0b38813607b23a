/** Numbers of the Linux system calls that the kernel pump makes; they are the same on x64 and arm64, glibc and musl. */
export const linux = {
  EINTR: 4,
  EAGAIN: 11,
  ETIMEDOUT: 110,

  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
  EFD_NONBLOCK_CLOEXEC: 0o2004000,
  EPOLL_CLOEXEC: 0o2000000,
  RLIMIT_NOFILE: 7,

  AF_UNIX: 1,
  SOCK_STREAM_NONBLOCK_CLOEXEC: 0o2004001,
  SOL_SOCKET: 1,
  SO_ERROR: 4,
  SO_LINGER: 13,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_CONGESTION: 13,
  TCP_USER_TIMEOUT: 18,
  SHUT_WR: 1,
  SIOCOUTQ: 0x5411,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  SPLICE_F_MOVE: 1,
  SPLICE_F_NONBLOCK: 2,

  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_MOD: 3,
  EPOLLIN: 0x1,
  EPOLLOUT: 0x4,
  EPOLLERR: 0x8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  /** Edge-triggered: bit 31, written as the negative number that an Int32Array holds. */
  EPOLLET: -0x80000000,
} as const;

/** `struct epoll_event` in 32-bit words: packed on x86-64 alone (epoll_ctl(2), notes of the C libraries). */
export function epollEventLayout(arch: string): { readonly words: number; readonly dataWord: number } {
  return arch === "x64" ? { words: 3, dataWord: 1 } : { words: 4, dataWord: 2 };
}
