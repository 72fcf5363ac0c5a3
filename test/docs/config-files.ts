import type { TSchema } from '@sinclair/typebox'
import { readConfigText } from '../../lib/config/file/config-file.js'
import { ConfigFileSchema } from '../../lib/config/file/check-file.js'
import { listAlternatives } from '../../lib/config/schema/schema-values.js'

/** An option of a config file, and its place. */
export interface FileOption {
  readonly path: readonly string[]
  readonly schema: TSchema
}

/** Every option of a config file, those of an object after the object; not what goes by names of the application's own. */
export function listOptions (schema: TSchema = ConfigFileSchema, path: readonly string[] = []): FileOption[] {
  return listAlternatives(schema).flatMap((form) => Object.entries<TSchema>(form.properties ?? {}).flatMap(([key, option]) => [
    { path: [...path, key], schema: option },
    ...listOptions(option, [...path, key])
  ]))
}

/** Everything that is wrong with the text of a config file. */
export function findErrors (text: string, name = 'rate-limit.toml'): string[] {
  const file = readConfigText(text, name)
  return 'mistakes' in file ? file.mistakes.map(({ message }) => message) : []
}
