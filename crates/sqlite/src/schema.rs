//! The tables as diesel sees them. A test compares them with the migrated database.

diesel::table! {
    events (sequence) {
        sequence -> BigInt,
        id -> Binary,
        organization_id -> Nullable<Binary>,
        actor_id -> Nullable<Binary>,
        aggregate_kind -> Text,
        aggregate_id -> Binary,
        kind -> Text,
        payload -> Text,
        occurred_at -> BigInt,
        published_at -> Nullable<BigInt>,
        position -> Nullable<BigInt>,
        mac -> Nullable<Binary>,
    }
}

diesel::table! {
    chains (organization_id) {
        organization_id -> Binary,
        base_position -> BigInt,
        base_mac -> Binary,
        position -> BigInt,
        mac -> Binary,
        begins_at -> Nullable<BigInt>,
        seal -> Binary,
    }
}

diesel::table! {
    data_keys (id) {
        id -> BigInt,
        wrapped -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (key) {
        key -> Binary,
        fingerprint -> Binary,
        answer -> Nullable<Binary>,
        claimed_at -> BigInt,
        leased_until -> BigInt,
    }
}

diesel::table! {
    users (id) {
        id -> Binary,
        email -> Text,
        name -> Text,
        password_hash -> Nullable<Text>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        token -> Binary,
        user_id -> Binary,
        active_organization_id -> Binary,
        user_agent -> Nullable<Text>,
        created_at -> BigInt,
        refreshed_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    spent_tokens (token) {
        token -> Binary,
        session_id -> Binary,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Binary,
        token -> Binary,
        user_id -> Binary,
        organization_id -> Binary,
        name -> Text,
        prefix -> Text,
        scopes -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    signing_keys (id) {
        id -> Binary,
        public_key -> Binary,
        sealed_private_key -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    organizations (id) {
        id -> Binary,
        name -> Text,
        plan -> Text,
        credits -> BigInt,
        personal_of -> Nullable<Binary>,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    members (id) {
        id -> Binary,
        user_id -> Binary,
        organization_id -> Binary,
        role -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    invitations (id) {
        id -> Binary,
        organization_id -> Binary,
        token -> Binary,
        email -> Text,
        role -> Text,
        status -> Text,
        invited_by -> Binary,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    usage_tallies (id) {
        id -> BigInt,
        mark -> Text,
        is_read -> BigInt,
    }
}

diesel::table! {
    usage (organization_id, tally, day, figure) {
        organization_id -> Binary,
        tally -> BigInt,
        day -> BigInt,
        figure -> Text,
        amount -> BigInt,
    }
}

diesel::table! {
    artifacts (id) {
        id -> Binary,
        organization_id -> Binary,
        name -> Text,
        media_type -> Text,
        size -> BigInt,
        sha256 -> Binary,
        blob_key -> Text,
        metadata -> Text,
        index_status -> Text,
        index_error -> Nullable<Text>,
        index_due -> Nullable<BigInt>,
        index_attempts -> BigInt,
        index_fence -> BigInt,
        chunk_count -> BigInt,
        version -> BigInt,
        created_by -> Nullable<Binary>,
        created_at -> BigInt,
        updated_at -> BigInt,
        content -> Nullable<Text>,
        embedding -> Nullable<Binary>,
    }
}

diesel::table! {
    labels (id) {
        id -> Binary,
        organization_id -> Binary,
        name -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    artifact_labels (artifact_id, label_id) {
        artifact_id -> Binary,
        label_id -> Binary,
    }
}

diesel::table! {
    blob_deletions (blob_key) {
        blob_key -> Text,
        organization_id -> Binary,
        due -> BigInt,
    }
}

diesel::table! {
    erasures (organization_id) {
        organization_id -> Binary,
        begun_at -> BigInt,
        due -> Nullable<BigInt>,
    }
}

diesel::table! {
    embedding_models (id) {
        id -> BigInt,
        name -> Text,
        dimensions -> BigInt,
    }
}

diesel::table! {
    chunks (sequence) {
        sequence -> BigInt,
        id -> Binary,
        organization_id -> Binary,
        artifact_id -> Binary,
        position -> BigInt,
        start_offset -> BigInt,
        end_offset -> BigInt,
        embedding_model -> Nullable<BigInt>,
        embed_due -> BigInt,
        embed_attempts -> BigInt,
        text -> Text,
    }
}

diesel::table! {
    chunk_embeddings (chunk) {
        chunk -> BigInt,
        id -> Binary,
        organization_id -> Binary,
        artifact_id -> Binary,
        model -> BigInt,
        code -> Binary,
        vector -> Binary,
    }
}

diesel::table! {
    pipelines (id) {
        id -> Binary,
        organization_id -> Binary,
        name -> Text,
        description -> Nullable<Text>,
        version -> BigInt,
        created_by -> Binary,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    pipeline_versions (pipeline_id, version) {
        pipeline_id -> Binary,
        version -> BigInt,
        definition -> Text,
    }
}

diesel::table! {
    runs (id) {
        id -> Binary,
        organization_id -> Binary,
        pipeline_id -> Binary,
        pipeline_version -> BigInt,
        status -> Text,
        progress -> BigInt,
        created_by -> Binary,
        created_at -> BigInt,
        started_at -> Nullable<BigInt>,
        completed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    run_values (run_id) {
        run_id -> Binary,
        input -> Text,
        output -> Nullable<Text>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    step_runs (id) {
        id -> Binary,
        run_id -> Binary,
        step -> Text,
        tool -> Text,
        parent -> Nullable<Binary>,
        item -> Nullable<BigInt>,
        status -> Text,
        attempt -> BigInt,
        crashes -> BigInt,
        sleeps -> BigInt,
        ready_at -> Nullable<BigInt>,
        worker -> Nullable<Binary>,
        fence -> BigInt,
        items_total -> Nullable<BigInt>,
        items_started -> Nullable<BigInt>,
        items_done -> Nullable<BigInt>,
        items_failed -> Nullable<BigInt>,
        created_at -> BigInt,
        started_at -> Nullable<BigInt>,
        completed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    step_values (step_run_id) {
        step_run_id -> Binary,
        input -> Nullable<Text>,
        output -> Nullable<Text>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    step_items (step_run_id, item) {
        step_run_id -> Binary,
        item -> BigInt,
        value -> Text,
    }
}

diesel::table! {
    step_logs (sequence) {
        sequence -> BigInt,
        run_id -> Binary,
        step_run_id -> Binary,
        at -> BigInt,
        level -> Text,
        message -> Text,
    }
}

diesel::table! {
    workers (id) {
        id -> Binary,
        expires_at -> BigInt,
    }
}

diesel::joinable!(members -> organizations (organization_id));
diesel::joinable!(pipeline_versions -> pipelines (pipeline_id));
diesel::joinable!(run_values -> runs (run_id));
diesel::joinable!(spent_tokens -> sessions (session_id));
diesel::joinable!(step_items -> step_runs (step_run_id));
diesel::joinable!(step_logs -> runs (run_id));
diesel::joinable!(step_runs -> runs (run_id));
diesel::joinable!(step_values -> step_runs (step_run_id));
diesel::allow_tables_to_appear_in_same_query!(members, organizations);
diesel::allow_tables_to_appear_in_same_query!(sessions, spent_tokens);
diesel::allow_tables_to_appear_in_same_query!(chunk_embeddings, chunks);
diesel::allow_tables_to_appear_in_same_query!(pipeline_versions, pipelines);
diesel::allow_tables_to_appear_in_same_query!(
    run_values,
    runs,
    step_items,
    step_logs,
    step_runs,
    step_values,
    workers,
);
