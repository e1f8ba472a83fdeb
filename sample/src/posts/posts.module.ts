import { Module } from '@nestjs/common';
import { Network } from './network.js';
import { PostTasks } from './post.tasks.js';
import { PostsController } from './posts.controller.js';
import { Posts } from './posts.js';

@Module({ controllers: [PostsController], providers: [Posts, PostTasks, Network] })
export class PostsModule {}
