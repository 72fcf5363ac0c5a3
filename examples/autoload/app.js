import { join } from 'node:path'
import autoload from '@fastify/autoload'

/** @import { FastifyInstance } from 'fastify' */

/**
 * What `fastify start` loads: plugins that hold for the whole application, then routes, each folder in a scope of its own.
 *
 * @param {FastifyInstance} fastify
 * @param {object} options What `fastify start -- --some option` says; fastify-cli insists on it.
 */
export default async function app (fastify, options) {
  fastify.register(autoload, { dir: join(import.meta.dirname, 'plugins'), options })
  fastify.register(autoload, { dir: join(import.meta.dirname, 'routes'), options })
}
