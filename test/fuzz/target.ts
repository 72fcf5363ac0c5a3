import type fc from 'fast-check'
import { readFileSync } from 'node:fs'

/** Something that reads bytes from outside. */
export interface Target {
  readonly name: string
  /** Texts, also of targets that read bytes (one in each character) or JSON. So each can be kept in a file. */
  readonly inputs: fc.Arbitrary<string>
  /** Throws where a promise is broken: an error of another kind, a result out of its range, or one that is not stable. */
  readonly check: (input: string) => void | Promise<void>
}

/** An input that once broke a promise, or that broke one elsewhere. */
export interface CorpusEntry {
  readonly input: string
  readonly why: string
}

/** The corpus of a target, `test/fuzz/corpus/<target>.json`. */
export function readCorpus ({ name }: Target): readonly CorpusEntry[] {
  return JSON.parse(readFileSync(new URL(`corpus/${name}.json`, import.meta.url), 'utf8')) as CorpusEntry[]
}

/** Throws unless a condition holds. */
export function hold (condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

/** Throws if a message has text that could move a cursor, or hide or turn other text. */
export function holdPrintable (message: string): void {
  hold(!/[\p{C}\p{Zl}\p{Zp}]/u.test(message), `not printable: ${JSON.stringify(message)}`)
}

/** The result of a function, or `null` where it throws one of the documented errors, with its place. */
export function orOwnError<Result> (place: string, run: () => Result): Result | null {
  try {
    return run()
  } catch (error) {
    hold(isOwnError(error), `not an error of the plugin: ${error instanceof Error ? error.stack : String(error)}`)
    hold(error.message.includes(place), `no place: ${error.message}`)
    holdPrintable(error.message)
    return null
  }
}

export function isOwnError (error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('FST_SLUICE_')
}

/** Throws if a value made of parsed text has an inherited property of its making. */
export function holdPlain (value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const prototype: unknown = Object.getPrototypeOf(value)
  hold(prototype === null || prototype === Object.prototype || prototype === Array.prototype, 'a prototype from outside')
  for (const inner of Object.values(value)) holdPlain(inner)
}

const inherited = Object.getOwnPropertyNames(Object.prototype).length

/** Check one input. Rejects, also where it has changed what all objects inherit. */
export async function checkInput ({ check }: Target, input: string): Promise<void> {
  await check(input)
  hold(Object.getOwnPropertyNames(Object.prototype).length === inherited, 'a new property of all objects')
}
