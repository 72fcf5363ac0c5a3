import type { Static } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { badOption } from './check.js'
import { parseCidrs, NetworkList } from './network-list.js'
import { BooleanOption } from './option-types.js'
import { Type } from './type-builder.js'

const HOOKS_EXPECTED = 'an onRequest hook, or an array of them'

/** An onRequest hook that authorizes requests to the operator routes. It calls `done` or is asynchronous. */
export type AdminHook = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void | Promise<unknown>

/** `admin`: routes for operators. */
export const AdminSchema = Type.Union([
  Type.Literal(false),
  Type.Object({
    prefix: Type.Optional(Type.String({ pattern: '^(/[A-Za-z0-9._~-]+)+$', expected: 'a path such as "/admin/rate-limit"' })),
    onRequest: Type.Optional(Type.Unsafe<AdminHook | readonly AdminHook[]>(Type.Any({ expected: HOOKS_EXPECTED }))),
    allow: Type.Optional(NetworkList()),
    openapi: Type.Optional(BooleanOption({ description: 'Whether documents of `@fastify/swagger` list the routes.' })),
    page: Type.Optional(BooleanOption({
      description: 'Whether a page for browsers shows what the limits do, below `<prefix>/page`, and counts for it are kept in memory.'
    }))
  }, { additionalProperties: false })
], {
  default: false,
  expected: 'false, or an object: { prefix?, onRequest?, allow?, openapi?, page? }',
  description: 'Routes for operators below `prefix` (`/admin/rate-limit`): standings, blocks, policies, and a switch for all limits. ' +
    'They answer loopback and private addresses only; others get 404 unless `allow` lists their networks. ' +
    'Requests are authorized by `onRequest` hooks of yours; without them, only the routes that read are mounted.'
})

/** Options of `admin`. */
export type AdminOptions = Static<typeof AdminSchema>

/** Check what the schema cannot express. Throws FST_SLUICE_BAD_OPTION with the place, such as `rateLimit.admin.allow[1]`. */
export function checkAdminOptions ({ admin }: { readonly admin?: AdminOptions }, place: string): void {
  if (admin === undefined || admin === false) return
  if (admin.onRequest !== undefined) {
    const hooks: readonly unknown[] = toHooks(admin.onRequest)
    // An empty array is ambiguous: it could mean that every request is authorized, or that no request is.
    if (hooks.length === 0 || !hooks.every((hook) => typeof hook === 'function')) {
      throw badOption(`${place}.admin.onRequest`, HOOKS_EXPECTED, admin.onRequest)
    }
  }
  parseCidrs(admin.allow ?? [], `${place}.admin.allow`)
}

/** The hooks in order; empty when the option is not set. */
export function toHooks (onRequest: AdminHook | readonly AdminHook[] | undefined): AdminHook[] {
  if (onRequest === undefined) return []
  return typeof onRequest === 'function' ? [onRequest] : [onRequest].flat()
}
