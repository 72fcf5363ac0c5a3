import Fastify from 'fastify'
import { NEVER_REACHED } from '../contestants/index.js'
import { answer } from '../worker.js'
import { redisContestants } from './contestants.js'

// One contestant's server before a Redis, on a free port of the loopback interface.
const [name, mode, target] = process.argv.slice(2)
const app = Fastify()
await redisContestants[name].add(app, mode === 'refusing' ? 1 : NEVER_REACHED, JSON.parse(target))
app.get('/', (request, reply) => { reply.send('ok') })
await app.listen({ host: '127.0.0.1', port: 0 })

answer((question) => {
  switch (question) {
    case 'port': return app.server.address().port
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return user + system
    }
    default: throw new Error(`no such question: ${question}`)
  }
})
