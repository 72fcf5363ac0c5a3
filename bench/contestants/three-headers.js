import { WINDOW_SECONDS } from './settings.js'

/** Writes what a limiter writes, and limits nothing. */
export const threeHeaders = {
  title: 'bare, three headers written',
  add (app, max) {
    let remaining = max
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-ratelimit-limit', max)
      reply.header('x-ratelimit-remaining', --remaining)
      reply.header('x-ratelimit-reset', WINDOW_SECONDS)
      done()
    })
  }
}
