import Fastify from 'fastify'
import { serve } from '../serve.js'
import { leaseContestants } from './contestants.js'
import { limitOf } from './traffic.js'

// One contestant's server for one kind of traffic.
const [name, kind, target] = process.argv.slice(2)
const app = Fastify()
await leaseContestants[name].add(app, limitOf(kind), JSON.parse(target))
app.get('/', (request, reply) => { reply.send('ok') })
await serve(app)
