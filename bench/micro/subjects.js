import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import { captureHook, captureRequest } from './hook.js'

/*
 * A subject answers with a function that checks the addresses given, one after the other, and counts refusals.
 */
export const subjects = { sluice, fastifyRateLimit }

async function sluice (options) {
  const { hook, request: { request, socket } } = await captureHook(options)
  // Where everything passes, nothing is ever written to it.
  const reply = { refused: 0, code () { this.refused++; return this }, header () { return this }, send () { return this } }
  let passed = 0
  function next () { passed++ }

  return function check (addresses) {
    passed = 0
    for (let i = 0; i < addresses.length; i++) {
      request.rateLimit = null
      socket.remoteAddress = addresses[i]
      hook(request, reply, next)
    }
    return addresses.length - passed
  }
}

/** Its check is asynchronous, and waiting for it is part of its price. */
async function fastifyRateLimit (options) {
  const app = Fastify()
  await app.register(rateLimit, { global: false, ...options })
  const { request, socket } = await captureRequest(app)
  const checkOne = app.createRateLimit()

  return async function check (addresses) {
    let refused = 0
    for (let i = 0; i < addresses.length; i++) {
      socket.remoteAddress = addresses[i]
      if ((await checkOne(request)).isExceeded) refused++
    }
    return refused
  }
}
