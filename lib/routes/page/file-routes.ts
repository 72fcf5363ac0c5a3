import type { FastifyReply } from 'fastify'
import { asIs } from '../../response/refuse.js'
import type { AdminRoute } from '../admin.js'
import { HIDDEN } from '../private-route.js'
import { pageFiles } from './page-files.js'

const INDEX = 'index.html'

/** Nothing inline, nothing from elsewhere, and no frame around the page: text from clients stays text. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
].join('; ')

/** Also where the application's own plugins have set weaker ones. */
const SECURITY_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin'
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json; charset=utf-8'
}

/** Routes of the page and its files. `isSlashIgnored`: whether the router finds the page with a slash at its end too. */
export function createFileRoutes (isSlashIgnored: boolean): AdminRoute[] {
  const files = Object.keys(pageFiles).filter((name) => name !== INDEX)
  return [
    createIndexRoute('/page'),
    ...isSlashIgnored ? [] : [createIndexRoute('/page/')],
    ...files.map((name) => createFileRoute(`/page/${name}`, name))
  ]
}

/** The page names its files relative to the prefix, so its own URL must not end in a slash. */
function createIndexRoute (path: string): AdminRoute {
  return createRoute(path, (request, reply) => {
    if (/^[^?]*\/(?:\?|$)/.test(request.url)) return reply.code(308).header('location', '../page').serializer(asIs).send('')
    return sendText(reply, INDEX, pageFiles[INDEX])
  })
}

function createFileRoute (path: string, name: string): AdminRoute {
  return createRoute(path, (_request, reply) => sendText(reply, name, pageFiles[name]))
}

/** A route of the page that reads. Documents of the application do not list it. */
export function createRoute (path: string, answer: AdminRoute['answer']): AdminRoute {
  return { method: 'GET', path, schema: HIDDEN, answer }
}

/** Send JSON as it is: it is written once for all viewers. */
export function sendJson (reply: FastifyReply, text: string): FastifyReply {
  return sendText(reply, 'data.json', text)
}

function sendText (reply: FastifyReply, name: string, text: string): FastifyReply {
  return reply.code(200).headers(SECURITY_HEADERS).header('content-type', TYPES[name.slice(name.lastIndexOf('.') + 1)])
    .serializer(asIs).send(text)
}
