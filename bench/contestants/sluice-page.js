import { rateLimitPlugin } from 'fastify-sluice'

/** With the operator page, which is not open. The same rate by an hour, so that requests are kept for a replay. */
export const sluicePage = {
  title: 'fastify-sluice, with the operator page',
  async add (app, max) {
    await app.register(rateLimitPlugin, { max: Math.floor(max / 24), timeWindow: 3_600_000, admin: { page: true } })
  }
}
