import rateLimit from '@fastify/rate-limit'
import { WINDOW_SECONDS } from './settings.js'

export const fastifyRateLimit = {
  title: '@fastify/rate-limit',
  async add (app, max) {
    await app.register(rateLimit, { max, timeWindow: WINDOW_SECONDS * 1000 })
  }
}
