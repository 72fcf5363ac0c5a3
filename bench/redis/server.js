import Fastify from 'fastify'
import { NEVER_REACHED } from '../contestants/index.js'
import { serve } from '../serve.js'
import { redisContestants } from './contestants.js'

// One contestant's server before a Redis.
const [name, mode, target] = process.argv.slice(2)
const app = Fastify()
await redisContestants[name].add(app, mode === 'refusing' ? 1 : NEVER_REACHED, JSON.parse(target))
app.get('/', (request, reply) => { reply.send('ok') })
await serve(app)
