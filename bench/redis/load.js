import { once } from 'node:events'
import { connect } from 'node:net'
import { quantile } from '../statistics.js'
import { answer } from '../worker.js'
import { CLIENT_HEADER } from './contestants.js'

/*
 * Sends the load, each request for another client than the one before. It writes requests made beforehand and reads no
 * more of an answer than its length and status: three processes share the machine, and this one is not the subject.
 * `leadInSeconds`: how long latencies are not counted, since fifty connections have just been made.
 */
answer(async ({ port, connections, seconds, clients, perSecond = null, leadInSeconds = 0 }) => {
  const requests = Array.from({ length: clients }, (_, index) =>
    Buffer.from(`GET / HTTP/1.1\r\nHost: bench\r\n${CLIENT_HEADER}: client-${String(index).padStart(8, '0')}\r\n\r\n`))
  const run = { requests, sent: 0, answered: 0, countedFromMs: 0, latencies: [], statuses: {}, idle: [], onIdle: () => {} }
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port, run)))
  const startMs = performance.now()
  run.countedFromMs = startMs + leadInSeconds * 1000
  await (perSecond === null ? saturate(run, sockets, seconds) : arrive(run, sockets, seconds, perSecond))
  const taken = (performance.now() - startMs) / 1000
  for (const socket of sockets) socket.destroy()
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((share) => quantile(run.latencies, share))
  return { requests: run.answered, seconds: taken, statuses: run.statuses, p50Ms, p95Ms, p99Ms }
})

/** Every connection sends its next request as soon as it has its answer. */
async function saturate (run, sockets, seconds) {
  const endMs = performance.now() + seconds * 1000
  let busy = sockets.length
  await new Promise((resolve) => {
    run.onIdle = (socket) => {
      const nowMs = performance.now()
      if (nowMs < endMs) send(run, socket, nowMs)
      else if (--busy === 0) resolve()
    }
    for (const socket of sockets) send(run, socket, performance.now())
  })
}

/**
 * Requests arrive at a steady rate, whatever the server does. One that finds every connection busy waits for the next
 * that is free, and its wait counts. The pauses are short sleeps: a timer's millisecond would make all arrivals bursts.
 */
async function arrive (run, sockets, seconds, perSecond) {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const startMs = performance.now()
  const total = Math.floor(seconds * perSecond)
  run.idle = [...sockets]
  run.onIdle = (socket) => { run.idle.push(socket) }
  while (run.answered < total) {
    while (run.sent < total && run.idle.length > 0) {
      const dueMs = startMs + run.sent / perSecond * 1000
      if (dueMs > performance.now()) break
      send(run, run.idle.pop(), dueMs)
    }
    Atomics.wait(sleeper, 0, 0, 0.1)
    await new Promise(setImmediate)
  }
}

function send (run, socket, sinceMs) {
  socket.sinceMs = sinceMs
  socket.write(run.requests[run.sent++ % run.requests.length])
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
