import { warnings } from '../errors.js'
import { burstAboveMax, longWindowAlone, shortCooldown, shortWindow } from './limit-warnings.js'
import { exemptsEveryAddress, trustsEveryAddress } from './network-warnings.js'
import { openLogin, ruleNeverApplies, ruleWithoutMatch, tierWithoutUsers } from './rule-warnings.js'
import type { WarningInput } from './warning-input.js'

export interface Warning {
  /** Beginning with its place. */
  readonly text: string
  readonly code: string
}

/** What is legal but likely wrong: each by a function that finds every case of it, and answers texts that begin with their places. */
const CHECKS: ReadonlyArray<readonly [code: string, look: (input: WarningInput) => readonly string[]]> = [
  [warnings.ruleWithoutMatch, ruleWithoutMatch],
  [warnings.ruleNeverApplies, ruleNeverApplies],
  [warnings.tierOfNobody, tierWithoutUsers],
  [warnings.openLogin, openLogin],
  [warnings.longWindowAlone, longWindowAlone],
  [warnings.shortWindow, shortWindow],
  [warnings.burstAboveMax, burstAboveMax],
  [warnings.shortCooldown, shortCooldown],
  [warnings.trustsEverybody, trustsEveryAddress],
  [warnings.exemptsEverybody, exemptsEveryAddress]
]

/** Every warning, each once, also where several policies inherit what it is about. */
export function findWarnings (input: WarningInput): Warning[] {
  return CHECKS.flatMap(([code, look]) => [...new Set(look(input))].map((text) => ({ text, code })))
}
