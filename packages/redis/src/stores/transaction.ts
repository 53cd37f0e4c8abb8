import type { ChainableCommander } from 'ioredis';

/**
 * Runs a transaction: `multi`, and commands.
 *
 * @throws the error of the first command that Redis refused; ioredis itself resolves all the same
 */
export async function execute(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) {
    if (error !== null) throw error;
  }
}
