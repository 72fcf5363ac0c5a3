import Fastify from 'fastify'
import { rateLimitPlugin } from 'fastify-sluice'

/**
 * The plugin's own onRequest hook, as it was given to Fastify: with `headers: 'off'` it is one full check (find the
 * policy, identify, charge, decide) and nothing else.
 */
export async function captureHook (options) {
  const app = Fastify()
  const { addHook } = app
  let hook = null
  app.addHook = function (name, fn) {
    if (name === 'onRequest') hook = fn
    return addHook.call(this, name, fn)
  }
  app.register(rateLimitPlugin, { headers: 'off', ...options })
  await app.after()
  app.addHook = addHook
  const request = await captureRequest(app)
  return { app, hook, request }
}

/** A request of the application's own making, to be used again and again with other sockets. */
export async function captureRequest (app) {
  let captured = null
  app.get('/', (request, reply) => {
    captured = request
    reply.send('ok')
  })
  await app.inject('/')
  // What a request is made of stays; only the connection it came by is ours to set.
  Object.defineProperty(captured.raw, 'socket', { value: captured.raw.socket, writable: true })
  return captured
}
