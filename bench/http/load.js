import autocannon from 'autocannon'
import { answer } from '../worker.js'

// Sends the load, from a process of its own: in the server's it would take the time that is to be measured.
answer(async ({ port, connections, seconds, path = '/' }) => {
  const result = await autocannon({ url: `http://127.0.0.1:${port}${path}`, connections, pipelining: 1, duration: seconds })
  return {
    requests: result.requests.total,
    seconds: result.duration,
    errors: result.errors + result.timeouts,
    statuses: result.statusCodeStats,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99
  }
})
