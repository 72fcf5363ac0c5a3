import type { Server, Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'

/*
 * The other end of a connection. Node.js forgets its address when the connection is reset, and a socket without an address
 * looks like a Unix socket then. So what a connection was is noted when it is accepted.
 */

/** The peer of a Unix socket has no address. */
export const UNIX_PEER = Symbol('fastify-sluice.unixPeer')

/** An address; `UNIX_PEER`; or `null` where the peer is gone and its address was never known. */
export type Peer = string | typeof UNIX_PEER | null

const accepted = new WeakMap<object, Exclude<Peer, null>>()
const watched = new WeakSet<object>()

/** Note the peer of each connection that a server accepts. Once for a server, however many registrations ask. */
export function notePeers (server: Pick<Server, 'on'>): void {
  if (watched.has(server)) return
  watched.add(server)
  server.on('connection', notePeer)
  // Over TLS, requests see another socket than the one that was accepted.
  server.on('secureConnection', notePeer)
}

/** Whether a request came without a connection, by `inject`: in tests, and from adapters for serverless platforms. */
export function isInjected ({ raw: { socket } }: FastifyRequest): boolean {
  const mock: Partial<Pick<Socket, 'destroyed'>> = socket
  return mock.destroyed === undefined
}

/** The peer of a request's connection, also after it was closed. */
export function findPeer ({ raw: { socket } }: FastifyRequest): Peer {
  return socket.remoteAddress ?? accepted.get(socket) ?? (isUnixSocket(socket) ? UNIX_PEER : null)
}

/** A peer that reset its connection before it was accepted has no address: it stays unknown. */
function notePeer (socket: Socket): void {
  const peer = socket.remoteAddress ?? (isUnixSocket(socket) ? UNIX_PEER : null)
  if (peer !== null) accepted.set(socket, peer)
}

/** A closed socket has neither address, whatever it was. */
function isUnixSocket (socket: Pick<Socket, 'destroyed' | 'localAddress'>): boolean {
  return !socket.destroyed && socket.localAddress === undefined
}
