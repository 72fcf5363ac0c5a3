import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'

/** @import { FastifyRequest } from 'fastify' */
/** @import { Accounts } from './accounts.js' */

/** An account has one spelling here, as it must have where it is looked up: else each spelling has a budget. */
const nameIn = (/** @type {FastifyRequest} */ request) => /** @type {{ name: string }} */ (request.body).name.trim().toLowerCase()

/**
 * A login that counts what fails, and nothing else.
 *
 * @param {Accounts} accounts
 * @param {{ redis?: string }} [options]
 */
export async function buildServer (accounts, { redis } = {}) {
  const app = Fastify()

  await app.register(rateLimitPlugin, { max: 100, timeWindow: '1 minute', ...(redis === undefined ? {} : { redis }) })

  app.post('/login', {
    schema: {
      body: {
        type: 'object',
        required: ['name', 'password'],
        properties: { name: { type: 'string', maxLength: 100 }, password: { type: 'string', maxLength: 100 } }
      }
    },
    config: {
      rateLimit: {
        limits: [
          // Whoever guesses at one account, from however many addresses. The price: a stranger can keep its owner out
          // for a while, so leave the owner another way in, such as a link by mail.
          { name: 'account', max: 5, timeWindow: '15 minutes', algorithm: 'sliding-window' },
          // Whoever tries one password on many accounts.
          { name: 'address', max: 20, timeWindow: '15 minutes', algorithm: 'sliding-window', by: 'ip' }
        ],
        keyGenerator: nameIn,
        // The body is there, and has been validated; what is no login is not counted here.
        hook: 'preHandler',
        // A right password costs nothing, however often it is shown.
        refundOn: ['2xx'],
        // Who goes on after refusals is kept out, longer each time.
        penalty: { strikes: 3, within: '10 minutes', cooldown: '5 minutes', factor: 2, maxCooldown: '1 hour' },
        // Without the count there is no login: a 503 rather than guesses without end while Redis is away.
        failureMode: 'closed'
      }
    }
  }, async (request, reply) => {
    const { password } = /** @type {{ password: string }} */ (request.body)
    if (await accounts.isRight(nameIn(request), password)) return { welcome: true }
    // The same for an account that does not exist.
    return reply.code(401).send({ error: 'wrong name or password' })
  })

  return app
}
