import { randomBytes } from 'node:crypto'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'

/** An API whose users show a token; what it says of their plan decides how much they may ask. */
export async function buildServer () {
  const app = Fastify()

  // Of this process; an application would read it from where it keeps its secrets.
  await app.register(jwt, { secret: randomBytes(32) })

  await app.register(rateLimitPlugin, {
    // Users whose plan has no limits of its own below, or who have none.
    max: 20,
    timeWindow: '1 minute',
    tiers: {
      // Whoever shows no token, or one that is not valid: by address.
      anonymous: { max: 5 },
      premium: { max: 40 },
      internal: false // unlimited
    },
    identify: { jwt: { userClaim: 'sub', tierClaim: 'plan' } }
  })

  app.get('/quotes', async (request) => ({ price: 42, client: request.rateLimit?.client }))

  // Who must be somebody is told so by the application, as ever. The tiers are those above, the budgets this route's own.
  app.get('/account', {
    config: { rateLimit: { groupId: 'account' } },
    onRequest: async (request) => { await request.jwtVerify() }
  }, async (request) => request.user)

  return app
}
