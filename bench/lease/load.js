import { createRequest, createRun, openConnections, send } from '../redis/connection.js'
import { quantile } from '../statistics.js'
import { answer } from '../worker.js'
import { drawKeys, traffic } from './traffic.js'

/*
 * Sends one kind of traffic without a pause, from `start` to `stop`, and counts from `count` to `stop`: leases need a busy
 * bucket, and a pause makes them lapse.
 *
 * In this time the process never sleeps. A server pays for waking a client on its own machine with each answer, unless answers
 * come in bursts, as those do that waited for one call. That was about a fifth of its processor time. A client elsewhere costs it nothing.
 */
const kind = process.argv[2]
const requests = Array.from({ length: traffic[kind].keys }, (_, key) => createRequest(key))
const keys = drawKeys(kind)
let drawn = 0
let load = null

function stayAwake (run) {
  if (load?.run === run) setImmediate(stayAwake, run)
}

const tasks = {
  async start ({ port, connections }) {
    // The draws go on where the last load ended, so that cold keys stay cold.
    const run = createRun(() => requests[keys[drawn++ % keys.length]])
    run.countedFromMs = Infinity
    const sockets = await openConnections(port, run, connections)
    load = { run, sockets, answeredBefore: 0, statusesBefore: {} }
    stayAwake(run)
    run.onIdle = (socket) => { send(run, socket, performance.now()) }
    for (const socket of sockets) send(run, socket, performance.now())
    return null
  },

  count () {
    const { run } = load
    load.answeredBefore = run.answered
    load.statusesBefore = { ...run.statuses }
    run.countedFromMs = performance.now()
    return null
  },

  async stop () {
    const { run, sockets, answeredBefore, statusesBefore } = load
    const seconds = (performance.now() - run.countedFromMs) / 1000
    const requests = run.answered - answeredBefore
    const statuses = Object.fromEntries(Object.entries(run.statuses).map(([status, count]) => [status, count - (statusesBefore[status] ?? 0)]))
    const { latencies } = run
    await drain(run, sockets)
    load = null
    const [p50Ms, p95Ms, p99Ms] = latencies.length === 0 ? [0, 0, 0] : [0.5, 0.95, 0.99].map((share) => quantile(latencies, share))
    return { requests, seconds, statuses, p50Ms, p95Ms, p99Ms }
  }
}

answer(({ task, ...question }) => tasks[task](question))

/** Let each connection have its last answer. */
async function drain (run, sockets) {
  let busy = sockets.length
  await new Promise((resolve) => { run.onIdle = () => { if (--busy === 0) resolve() } })
  for (const socket of sockets) socket.destroy()
}
