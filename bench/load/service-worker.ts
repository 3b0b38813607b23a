import { parentPort, workerData } from "node:worker_threads";
import { openBoard } from "./board.ts";
import type { Board } from "./board.ts";
import { createEpoll, readable, writable } from "./epoll.ts";
import type { Epoll } from "./epoll.ts";
import { headerBytes, modes } from "./jobs.ts";
import { close, recv, send, wouldWait } from "./libc.ts";
import { setPreemption } from "./preemption.ts";
import { acceptSocket, listenSocket, resetOnClose } from "./sockets.ts";
import { discard, noSignal, streamChunk } from "./transfer.ts";

interface Connection {
  /** 0 until the header has come. */
  mode: number;
  slot: number;
}

const scratch = Buffer.alloc(64 * 1024);

/** The service behind every peer: one thread that sinks, sources or echoes as the connection's header asks. */
function serve(board: Board): void {
  using epoll = createEpoll();
  const connections = new Map<number, Connection>();
  const listener = listenSocket("127.0.0.1");
  epoll.add(listener.fd, readable);
  parentPort?.postMessage(listener.port, []);
  let mayPreempt = true;
  while (!board.stopped()) {
    if (board.takeDrop()) dropEngaged(connections, board);
    if (board.mayPreempt() !== mayPreempt) setPreemption((mayPreempt = !mayPreempt));
    epoll.wait(50, (fd) => {
      const connection = connections.get(fd);
      if (fd === listener.fd) acceptAll(listener.fd, epoll, connections);
      else if (connection === undefined || !serveOne(fd, connection, epoll, board))
        drop(fd, connections, board);
    });
  }
  for (const fd of connections.keys()) close(fd);
  close(listener.fd);
}

function acceptAll(listener: number, epoll: Epoll, connections: Map<number, Connection>): void {
  for (let fd = acceptSocket(listener); fd >= 0; fd = acceptSocket(listener)) {
    connections.set(fd, { mode: 0, slot: 0 });
    epoll.add(fd, readable);
  }
}

/** Resets what has had its header; a tunnel's waiting connections stay. */
function dropEngaged(connections: Map<number, Connection>, board: Board): void {
  for (const [fd, { mode }] of connections)
    if (mode !== 0) {
      resetOnClose(fd);
      drop(fd, connections, board);
    }
}

function drop(fd: number, connections: Map<number, Connection>, board: Board): void {
  if (connections.get(fd)?.mode) board.addLive(-1);
  connections.delete(fd);
  close(fd);
}

/** One step of one connection; false when it is over. */
function serveOne(fd: number, connection: Connection, epoll: Epoll, board: Board): boolean {
  switch (connection.mode) {
    case 0:
      return readHeader(fd, connection, epoll, board);
    case modes.sink: {
      const count = discard(fd);
      if (count > 0) board.bytes[connection.slot] = (board.bytes[connection.slot] ?? 0) + count;
      return alive(count);
    }
    case modes.source:
      return alive(send(fd, streamChunk, streamChunk.length, noSignal));
    case modes.echo: {
      const count = recv(fd, scratch, scratch.length, 0);
      return count > 0 ? alive(send(fd, scratch, count, noSignal)) : alive(count);
    }
    default:
      /* A deaf connection has no interest set, so an event is an error or a hang-up. */
      return false;
  }
}

function readHeader(fd: number, connection: Connection, epoll: Epoll, board: Board): boolean {
  const count = recv(fd, scratch, headerBytes, 0);
  if (count !== headerBytes) return count < 0 && wouldWait();
  connection.mode = scratch[0] ?? 0;
  connection.slot = scratch[1] ?? 0;
  board.addLive(1);
  if (connection.mode === modes.source) epoll.change(fd, writable);
  if (connection.mode === modes.deaf) epoll.change(fd, 0);
  return true;
}

function alive(count: number): boolean {
  return count > 0 || (count < 0 && wouldWait());
}

/* The one caller is load.ts, which passes the board's memory. */
serve(openBoard(workerData as SharedArrayBuffer));
