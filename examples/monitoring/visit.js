// The load: SERVICE_URL=http://127.0.0.1:8080 node examples/monitoring/visit.js
import { callers } from './callers.js'
import { sendLoad } from './load.js'

const over = new AbortController()
process.once('disconnect', () => over.abort())
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => over.abort())

await sendLoad(process.env.SERVICE_URL ?? 'http://127.0.0.1:8080', callers, over.signal)
