import { createWriteStream } from 'node:fs'
import { LogController } from 'fastify'
import { rateLimitPlugin } from 'fastify-sluice'
import { WINDOW_SECONDS } from './settings.js'

/** With a logger at info level; metrics and headers are on anyway. */
export const sluiceEverything = {
  title: 'fastify-sluice, everything on',
  server: () => ({
    logger: { level: 'info', stream: createWriteStream('/dev/null') },
    // Only the plugin's lines: those of each request are the application's choice.
    logController: new LogController({ disableRequestLogging: true })
  }),
  async add (app, max) {
    await app.register(rateLimitPlugin, { max, timeWindow: WINDOW_SECONDS * 1000 })
  }
}
