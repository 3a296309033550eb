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
        vector -> Binary,
    }
}

diesel::joinable!(members -> organizations (organization_id));
diesel::joinable!(spent_tokens -> sessions (session_id));
diesel::allow_tables_to_appear_in_same_query!(members, organizations);
diesel::allow_tables_to_appear_in_same_query!(sessions, spent_tokens);
diesel::allow_tables_to_appear_in_same_query!(chunk_embeddings, chunks);
