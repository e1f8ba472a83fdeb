/** Milliseconds after which a statement has failed: a connection that is open and silent is as good as broken. */
export const STATEMENT_LIMIT = 10_000;
/**
 * Milliseconds after which the server ends the session of a relay that holds the lock and sends nothing, because its machine has
 * died or the network has forgotten the connection. Until then no relay moves anything.
 */
export const SILENCE_LIMIT = 15_000;
/** Milliseconds between two signs of life of a relay that moves rows. */
const SIGN_OF_LIFE = 5_000;

/**
 * Runs something that takes a while without any statement, and meanwhile keeps the server from ending the session.
 *
 * @param tell sends a statement that does nothing
 * @throws the error of `tell`, because the connection is of no use then
 */
export async function whileAlive<T>(tell: () => Promise<unknown>, run: () => Promise<T>): Promise<T> {
  let told: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (told) return;
    told = tell().then(() => {
      told = undefined;
    });
    told.catch(() => undefined);
  }, SIGN_OF_LIFE).unref();
  try {
    return await run();
  } finally {
    clearInterval(timer);
    await told;
  }
}
