import { Body, ConflictException, Controller, Get, Param, Post, Put } from '@nestjs/common';
import type { TaskHandle } from 'nestjs-task-queue';
import { z } from 'zod';
import { Database } from '../database/database.js';
import { Visitor } from '../visitors/visitor.js';
import { Network } from './network.js';
import { Posts } from './posts.js';

const account = z.object({ name: z.string().trim().min(1).max(30) });
const draft = z.object({ text: z.string().trim().min(1).max(280) });

@Controller('posts')
export class PostsController {
  constructor(
    private readonly database: Database,
    private readonly network: Network,
    private readonly posts: Posts,
  ) {}

  /** The posts of the visitor, and what the network shows of them. */
  @Get()
  async list(@Visitor() visitor: string) {
    const name = await this.nameOf(visitor);
    return {
      account: name ?? null,
      posts: await this.posts.ofVisitor(visitor).orderBy('saved_at', 'desc').limit(20).execute(),
      network: name === undefined ? [] : await this.network.messagesOf(name),
    };
  }

  /** Connects the visitor's account on the network. The token goes into the database, and neither into a task nor to the browser. */
  @Put('account')
  async connect(@Visitor() visitor: string, @Body({ schema: account }) { name }: z.infer<typeof account>) {
    const token = await this.network.join(name);
    await this.database
      .insertInto('account')
      .values({ visitor, name, token })
      .onConflict((conflict) => conflict.column('visitor').doUpdateSet({ name, token }))
      .execute();
    return { name };
  }

  /** Answers at once. The network is called by a task. */
  @Post()
  async save(
    @Visitor() visitor: string,
    @Body({ schema: draft }) { text }: z.infer<typeof draft>,
  ): Promise<TaskHandle<string>> {
    if ((await this.nameOf(visitor)) === undefined) throw new ConflictException('Connect your account first.');
    return this.posts.save(visitor, text);
  }

  @Post(':id/retry')
  retry(@Visitor() visitor: string, @Param('id') id: string): Promise<TaskHandle<string>> {
    return this.posts.retry(visitor, id);
  }

  private async nameOf(visitor: string): Promise<string | undefined> {
    const found = await this.database
      .selectFrom('account')
      .select('name')
      .where('visitor', '=', visitor)
      .executeTakeFirst();
    return found?.name;
  }
}
