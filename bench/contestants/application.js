import Fastify from 'fastify'
import { contestants } from './index.js'

/** The application that every contestant limits: one route, a short answer. */
export async function buildApplication (name, max) {
  const { server = () => ({}), add } = contestants[name]
  const app = Fastify(server())
  await add(app, max)
  app.get('/', (request, reply) => { reply.send('ok') })
  await app.ready()
  return app
}
