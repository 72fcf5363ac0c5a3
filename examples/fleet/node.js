// One process of the fleet: REDIS_URL=redis://... PORT=3001 node examples/fleet/node.js
import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { limit } from './limit.js'

const app = Fastify()

await app.register(rateLimitPlugin, {
  redis: process.env.REDIS_URL,
  ...limit,
  // The page of each process shows all of them.
  admin: { page: true },
  // For a proof: no answer is better than one that this process gave by itself.
  deadline: 1000,
  failureMode: 'closed'
})

app.get('/', async () => ({ hello: 'fleet' }))

const origin = await app.listen({ port: Number(process.env.PORT ?? 0), host: '127.0.0.1' })
// Whoever started this process learns where it listens, and ends it by leaving.
process.send?.(Number(new URL(origin).port))
process.once('disconnect', () => app.close())
process.once('SIGTERM', () => app.close())
