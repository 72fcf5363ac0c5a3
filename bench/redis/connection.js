import { once } from 'node:events'
import { connect } from 'node:net'
import { CLIENT_HEADER } from './contestants.js'

/** A request of one client, made beforehand. */
export function createRequest (client) {
  return Buffer.from(`GET / HTTP/1.1\r\nHost: bench\r\n${CLIENT_HEADER}: client-${String(client).padStart(8, '0')}\r\n\r\n`)
}

/**
 * The counts of a load. `nextRequest`: the next request to send. `onIdle`: called with a connection that has its answer.
 */
export function createRun (nextRequest) {
  return { nextRequest, answered: 0, countedFromMs: 0, latencies: [], statuses: {}, onIdle: () => {} }
}

/** `sinceMs`: when its wait begins. */
export function send (run, socket, sinceMs) {
  socket.sinceMs = sinceMs
  socket.write(run.nextRequest())
}

export function openConnections (port, run, number) {
  return Promise.all(Array.from({ length: number }, () => open(port, run)))
}

/** Longer than any answer here. */
const ANSWER_BYTES = 16_384
const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = Buffer.from('content-length: ')

async function open (port, run) {
  // One buffer for all answers of a connection: streams of this process would cost as much as a limiter.
  const buffer = Buffer.alloc(ANSWER_BYTES)
  let pending = Buffer.alloc(0)
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback: read } })
  await once(socket, 'connect')
  socket.on('error', (error) => { throw error })

  function read (bytes) {
    let answer = buffer.subarray(0, bytes)
    if (pending.length > 0) answer = Buffer.concat([pending, answer])
    if (!isWhole(answer)) {
      pending = Buffer.from(answer)
      return true
    }
    pending = pending.subarray(0, 0)
    const status = 100 * (answer[9] - DIGIT) + 10 * (answer[10] - DIGIT) + answer[11] - DIGIT
    run.statuses[status] = (run.statuses[status] ?? 0) + 1
    run.answered++
    if (socket.sinceMs >= run.countedFromMs) run.latencies.push(performance.now() - socket.sinceMs)
    run.onIdle(socket)
    return true
  }
  return socket
}

const DIGIT = 0x30

function isWhole (answer) {
  const headEnd = answer.indexOf(HEAD_END)
  if (headEnd === -1) return false
  let length = 0
  for (let at = answer.indexOf(LENGTH) + LENGTH.length; answer[at] >= DIGIT; at++) length = 10 * length + answer[at] - DIGIT
  return answer.length >= headEnd + HEAD_END.length + length
}
