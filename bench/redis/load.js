import { quantile } from '../statistics.js'
import { answer } from '../worker.js'
import { createRequest, createRun, openConnections, send } from './connection.js'

/*
 * Sends the load, each request for another client than the one before. It writes requests made beforehand and reads no
 * more of an answer than its length and status: three processes share the machine, and this one is not the subject.
 * `leadInSeconds`: how long latencies are not counted, since fifty connections have just been made.
 */
answer(async ({ port, connections, seconds, clients, perSecond = null, leadInSeconds = 0 }) => {
  const requests = Array.from({ length: clients }, (_, client) => createRequest(client))
  let sent = 0
  const run = createRun(() => requests[sent++ % requests.length])
  const sockets = await openConnections(port, run, connections)
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
  const idle = [...sockets]
  let sent = 0
  run.onIdle = (socket) => { idle.push(socket) }
  while (run.answered < total) {
    while (sent < total && idle.length > 0) {
      const dueMs = startMs + sent / perSecond * 1000
      if (dueMs > performance.now()) break
      sent++
      send(run, idle.pop(), dueMs)
    }
    Atomics.wait(sleeper, 0, 0, 0.1)
    await new Promise(setImmediate)
  }
}
