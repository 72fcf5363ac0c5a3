// The service: REDIS_URL=redis://... HOST=127.0.0.1 PORT=8080 node examples/monitoring/serve.js
import { buildServer } from './server.js'

const { REDIS_URL: redis = 'redis://127.0.0.1:6379', HOST: host = '127.0.0.1', PORT: port = '8080' } = process.env

const app = await buildServer({ redis })
const origin = await app.listen({ host, port: Number(port) })
// Whoever started this process learns where it listens, and ends it by leaving.
process.send?.(origin)
process.once('disconnect', () => app.close())
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())
