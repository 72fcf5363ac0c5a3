import { rateLimitPlugin } from 'fastify-sluice'
import { WINDOW_SECONDS } from './settings.js'

/** With a limit of requests in flight, which is never reached. */
export const sluiceConcurrency = {
  title: 'fastify-sluice, with concurrency',
  async add (app, max) {
    await app.register(rateLimitPlugin, { max, timeWindow: WINDOW_SECONDS * 1000, concurrency: { max: 1000 } })
  }
}
