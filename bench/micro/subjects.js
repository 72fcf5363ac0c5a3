import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import { captureHook, captureRequest } from './hook.js'

/*
 * A subject answers with a function that checks a request from each of the sockets, one after the other, and counts refusals.
 */
export const subjects = { sluice, fastifyRateLimit }

async function sluice (options) {
  const { hook, request } = await captureHook(options)
  // Where everything passes, nothing is ever written to it.
  const reply = { refused: 0, code () { this.refused++; return this }, header () { return this }, serializer () { return this }, send () { return this } }
  let passed = 0
  function next () { passed++ }

  return function check (sockets) {
    passed = 0
    for (let i = 0; i < sockets.length; i++) {
      request.rateLimit = null
      request.raw.socket = sockets[i]
      hook(request, reply, next)
    }
    return sockets.length - passed
  }
}

/** Its check is asynchronous, and waiting for it is part of its price. */
async function fastifyRateLimit (options) {
  const app = Fastify()
  await app.register(rateLimit, { global: false, ...options })
  const request = await captureRequest(app)
  const checkOne = app.createRateLimit()

  return async function check (sockets) {
    let refused = 0
    for (let i = 0; i < sockets.length; i++) {
      request.raw.socket = sockets[i]
      if ((await checkOne(request)).isExceeded) refused++
    }
    return refused
  }
}
