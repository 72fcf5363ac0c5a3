import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import mercurius from 'mercurius'
import { costOf, parseOptions } from './cost.js'

/** @import { FastifyRequest } from 'fastify' */
/** @import { Variables } from './cost.js' */

const schema = `
  type Author { name: String!, books(first: Int): [Book!]! }
  type Book { title: String!, author: Author! }
  type Query { hello: String!, authors(first: Int): [Author!]!, book(title: String!): Book }
`

/** Units that a client may use in a minute. */
export const budget = 500

/** @typedef {{ count: number }} Calls How often resolvers were called. */

/** A library that anybody may ask, for so much a minute: what a query costs depends on what it asks for. */
export async function buildServer () {
  const app = Fastify({ bodyLimit: 16 * 1024 })
  /** @type {Calls} */
  const resolved = { count: 0 }

  await app.register(rateLimitPlugin, { max: 100, timeWindow: '1 minute' })

  await app.register(mercurius, {
    schema,
    resolvers: resolversThatCount(resolved),
    graphql: { parseOptions },
    additionalRouteOptions: {
      config: {
        rateLimit: {
          // One budget: GET and POST are two routes.
          groupId: 'graphql',
          max: budget,
          timeWindow: '1 minute',
          algorithm: 'sliding-window',
          cost: (request) => costOfRequest(app.graphql.schema, request),
          // The body is there. mercurius reads the query in the handler, so what is refused calls no resolver, and is
          // answered with 429, Retry-After and problem+json as anywhere else.
          hook: 'preHandler'
        }
      }
    }
  })

  return { app, resolved }
}

/** @param {import('graphql').GraphQLSchema} schema @param {FastifyRequest} request */
function costOfRequest (schema, request) {
  // By POST as JSON, or as the bare query with the type application/graphql; by GET in the URL, with the variables as JSON.
  const asked = request.body ?? request.query
  const { query, variables } = /** @type {{ query?: unknown, variables?: unknown }} */ (typeof asked === 'string' ? { query: asked } : asked)
  return typeof query === 'string' ? costOf(schema, query, variablesIn(variables)) : 1
}

/** @param {unknown} given @returns {Variables} */
function variablesIn (given) {
  try {
    const variables = typeof given === 'string' ? JSON.parse(given) : given
    return typeof variables === 'object' && variables !== null ? variables : {}
  } catch {
    return {}
  }
}

/** @param {Calls} resolved */
function resolversThatCount (resolved) {
  const author = (/** @type {number} */ number) => ({ name: `Author ${number}` })
  const many = (/** @type {number | null | undefined} */ first, /** @type {(number: number) => object} */ make) => {
    return Array.from({ length: Math.max(0, Math.min(first ?? 10, 100)) }, (_, number) => make(number))
  }
  return {
    Query: {
      hello: () => { resolved.count++; return 'world' },
      authors: (/** @type {unknown} */ _root, /** @type {{ first?: number }} */ { first }) => { resolved.count++; return many(first, author) },
      book: (/** @type {unknown} */ _root, /** @type {{ title: string }} */ { title }) => { resolved.count++; return { title } }
    },
    Author: {
      books: (/** @type {unknown} */ _author, /** @type {{ first?: number }} */ { first }) => { resolved.count++; return many(first, (number) => ({ title: `Book ${number}` })) }
    },
    Book: {
      author: () => { resolved.count++; return author(1) }
    }
  }
}
