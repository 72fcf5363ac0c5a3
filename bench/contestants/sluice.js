import { rateLimitPlugin } from 'fastify-sluice'
import { WINDOW_SECONDS } from './settings.js'

export const sluice = {
  title: 'fastify-sluice',
  async add (app, max) {
    await app.register(rateLimitPlugin, { max, timeWindow: WINDOW_SECONDS * 1000 })
  }
}
