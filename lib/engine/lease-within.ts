interface LeasingPool<C> {
  connect(): Promise<C>;
}

/**
 * Leases a client, and waits for it no longer than the limit. By itself, a pool of the application mostly waits without a limit, also
 * for a connection on which the server never answers because the network has forgotten it.
 *
 * @param limit milliseconds
 * @throws Error when the time is over. A client that comes later goes back to the pool
 */
export function leaseWithin<C extends { release(): void }>(pool: LeasingPool<C>, limit: number): Promise<C> {
  const leasing = pool.connect();
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      reject(new Error(`The pool has given no connection within ${limit / 1_000} s`));
    }, limit);
    leasing.then(
      (client) => {
        if (isLate) return client.release();
        clearTimeout(timer);
        resolve(client);
      },
      (error: Error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
