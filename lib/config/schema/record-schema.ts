import type { Static } from '@sinclair/typebox'
import type { Resolved } from './fill-defaults.js'
import { checkSecret, SECRET_EXPECTED } from './log-schema.js'
import { BooleanOption, IntegerRange } from './option-types.js'
import { Type } from './type-builder.js'

/*
 * The option `record`: a file of decisions, for `fastify-sluice simulate`.
 */

/** `record`: whether and where decisions are recorded. */
export const RecordSchema = Type.Union([
  Type.Literal(false),
  Type.Object({
    file: Type.String({
      minLength: 1,
      expected: 'the path of a file',
      description: 'The file that decisions are appended to. It is created with mode 0600. A symbolic link is refused.'
    }),
    maxBytes: Type.Optional(IntegerRange(65_536, 1_099_511_627_776, {
      default: 104_857_600, description: 'The size at which the recording stops.'
    })),
    hashClients: Type.Optional(BooleanOption({
      default: true, description: 'Whether the file contains a hash in place of each address, user and key.'
    })),
    // Not Type.String: the message about a wrong secret must not show it.
    hashSecret: Type.Optional(Type.Unsafe<string>(Type.Unknown({
      expected: SECRET_EXPECTED,
      description: 'The key of these hashes (HMAC-SHA-256). With it, a client has the same hash in the files of all instances, and after ' +
        'a restart. Without it, each process creates a random key.'
    })))
  }, { additionalProperties: false })
], {
  default: false,
  expected: 'false, or an object: { file, maxBytes?, hashClients?, hashSecret? }',
  description: 'Record the decision on each request in `file`, for `fastify-sluice simulate`: up to `maxBytes` (100 MiB), with clients ' +
    'hashed (`hashClients`, `hashSecret`).'
})

/** The option `record`. */
export type RecordOptions = Static<typeof RecordSchema>

/** The option `record` with its defaults. */
export type ResolvedRecord = false | Resolved<Exclude<RecordOptions, false>, 'maxBytes' | 'hashClients'>

/** Check what the schema cannot express. Throws FST_SLUICE_BAD_OPTION with the place `rateLimit.record.hashSecret`. */
export function checkRecordOptions ({ record }: { readonly record?: RecordOptions }, place: string): void {
  if (record === undefined || record === false) return
  if (record.hashSecret !== undefined) checkSecret(record.hashSecret, `${place}.record.hashSecret`)
}
